package wallet;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.EntityManager;
import jakarta.persistence.Id;
import jakarta.persistence.LockModeType;
import jakarta.persistence.MappedSuperclass;
import jakarta.persistence.Table;
import jakarta.persistence.Version;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.dao.OptimisticLockingFailureException;
import org.springframework.http.ResponseEntity;
import org.springframework.stereotype.Service;
import org.springframework.transaction.annotation.Transactional;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** A wallet on Spring Boot, Hibernate and JDBC. It knows no proxy. */
@SpringBootApplication
public class Application {
    public static void main(String[] arguments) {
        SpringApplication.run(Application.class, arguments);
    }
}

@MappedSuperclass
abstract class Balance {
    @Id
    String id;
    int balance;

    boolean take(int amount) {
        if (balance < amount) {
            return false;
        }
        balance -= amount;
        return true;
    }
}

@Entity
@Table(name = "wallets")
class Wallet extends Balance {
}

@Entity
@Table(name = "wallets")
class VersionedWallet extends Balance {
    @Version
    @Column(name = "version")
    int version;
}

@Service
class Wallets {
    private final EntityManager entities;

    Wallets(EntityManager entities) {
        this.entities = entities;
    }

    @Transactional
    public boolean withdraw(String how, String id, int amount) {
        Balance wallet = switch (how) {
            case "plain" -> entities.find(Wallet.class, id);
            case "lock" -> entities.find(Wallet.class, id, LockModeType.PESSIMISTIC_WRITE);
            case "version" -> entities.find(VersionedWallet.class, id);
            default -> throw new IllegalArgumentException(how);
        };
        return wallet.take(amount);
    }
}

@RestController
class Withdrawals {
    private final Wallets wallets;

    Withdrawals(Wallets wallets) {
        this.wallets = wallets;
    }

    @PostMapping("/withdraw/{how}")
    ResponseEntity<String> withdraw(@PathVariable("how") String how, @RequestParam("id") String id,
            @RequestParam("amount") int amount) {
        boolean paid;
        try {
            paid = wallets.withdraw(how, id, amount);
        } catch (OptimisticLockingFailureException conflict) {
            paid = false;
        }
        return paid ? ResponseEntity.ok("paid\n") : ResponseEntity.status(409).body("refused\n");
    }
}
